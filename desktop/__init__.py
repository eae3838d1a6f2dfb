"""What a person sees: PySide6 and pyqtgraph over the rooms of monitor."""
