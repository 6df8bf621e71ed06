"""SAM, SAM-HQ, SAM 2, SAM 3 and EdgeTAM."""
