"""What is measured: one family a file, functions of updates and factors, named by column.

Each function returns the columns of its family (see hodograph.tables.columns) for one matrix;
None stands where a quantity is not defined.
"""
