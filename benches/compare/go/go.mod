module entryway/compare

go 1.19
