"""A second generation of topics, with another number of partitions or another preparation, beside the first one."""
