"""The measures of similarity, a file each: a `MEASURE` of measures.measure.Measure under the file's name."""
