"""What a QGIS that ends badly would lose: written down at each step, offered back at the next start."""
