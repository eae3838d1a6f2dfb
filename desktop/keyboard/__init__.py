"""What the keyboard reaches: the actions, the sheet that lists them, and the search of all."""
