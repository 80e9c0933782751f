"""The machine: devices, memory, processes, files, versions."""
