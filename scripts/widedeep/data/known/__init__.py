"""The known data sets: each file has `DATA_SETS`, a list of one or more catalogue.DataSet."""
