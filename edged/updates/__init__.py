"""Models from a signed registry: its layout, the operator's side, and the device's."""
