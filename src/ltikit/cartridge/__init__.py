"""Common Cartridge: a course as a file that any LMS can import, with links that launch the tool."""
