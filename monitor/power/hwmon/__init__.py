"""What the sources ``amdgpu`` and ``intelgpu`` are made of: cards under Linux, and their monitors.

A card is an entry of ``class/drm``, a monitor a folder below its PCI device with a ``name`` and
files like ``energy1_input``, in microjoules (Documentation/hwmon/sysfs-interface.rst). A card that
sleeps is not touched: reading its monitor would wake it on older kernels and is refused on newer
ones.
"""
