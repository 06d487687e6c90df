"""Files of exports: columns, formats, the process that makes them, and where they are kept."""
