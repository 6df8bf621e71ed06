"""Objects larger than a tile: which tiles are asked, what each answers, how the answers become one."""
