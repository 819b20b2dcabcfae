"""Files, folders, locks and downloads. Nothing in this folder knows anything of ELMo."""
