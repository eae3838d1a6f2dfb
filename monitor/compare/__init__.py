"""The leaderboard: what models score, what that costs, and which of them can be told apart."""
