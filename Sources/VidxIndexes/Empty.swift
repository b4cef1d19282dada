// VidxIndexes
