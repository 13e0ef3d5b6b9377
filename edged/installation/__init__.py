"""edged as a system's service: `edged install` and `edged uninstall`, on this machine or in an image of one."""
