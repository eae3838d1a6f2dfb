"""Hugging Face: what is to be had there and how it comes here whole, when a person asks for it.

``huggingface_hub`` is imported only in this room and only when it is used: its settings, tokens and
proxies are those of Hugging Face's own programs.
"""
