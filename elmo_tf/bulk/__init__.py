"""Bulk processing: embeds or scores whole files. An embedding run can be resumed, and divided into shares."""
