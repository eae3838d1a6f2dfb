"""The live power plot."""
