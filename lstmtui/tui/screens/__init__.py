"""Whole screens and the dialogs over them, one file each."""
