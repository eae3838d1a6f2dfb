"""The dialog about the history's file."""
