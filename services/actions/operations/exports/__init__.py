"""Files of exports: columns, formats, the subprocess that writes them, and where they are kept."""
