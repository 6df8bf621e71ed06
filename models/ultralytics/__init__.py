"""What needs the library ultralytics (AGPL-3.0), behind one door."""
