"""The known data sets, a file each or a file for several alike: `DATA_SETS`, a list of catalogue.DataSet."""
