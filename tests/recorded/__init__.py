"""What real sensors said, kept to be read again."""
