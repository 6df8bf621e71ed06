"""Rational polynomials that place a raster of 400 by 300 pixels around 105° W, 40° N, as GDAL's metadata have them."""

ZEROS = " 0" * 19

RPC = {
    "LINE_OFF": "150",
    "SAMP_OFF": "200",
    "LAT_OFF": "40",
    "LONG_OFF": "-105",
    "HEIGHT_OFF": "0",
    "LINE_SCALE": "150",
    "SAMP_SCALE": "200",
    "LAT_SCALE": "0.005",
    "LONG_SCALE": "0.007",
    "HEIGHT_SCALE": "500",
    "LINE_NUM_COEFF": "0 0 -1" + " 0" * 17,
    "LINE_DEN_COEFF": "1" + ZEROS,
    "SAMP_NUM_COEFF": "0 1" + " 0" * 18,
    "SAMP_DEN_COEFF": "1" + ZEROS,
}
