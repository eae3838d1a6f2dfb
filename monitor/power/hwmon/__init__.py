"""What is read of hardware monitors under Linux: of graphics cards, processors and boards.

A monitor is a folder with a ``name`` and files like ``energy1_input``, in microjoules
(Documentation/hwmon/sysfs-interface.rst): below a card's PCI device, where a card is an entry of
``class/drm``, and in ``class/hwmon`` for all. A card that sleeps is not touched: reading its
monitor would wake it on older kernels and is refused on newer ones.
"""
