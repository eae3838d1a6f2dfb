"""How an answer is drawn: cut into blocks, each of them formatted, and nothing in it acts."""
