"""Energy in the chat: what an answer is likely to take before it is asked for."""
