"""Files, folders, locks and downloads; nothing in this folder is specific to ELMo."""
