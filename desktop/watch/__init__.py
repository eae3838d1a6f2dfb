"""The Monitor page: the machine without a model, recorded, and the bill of any span."""
