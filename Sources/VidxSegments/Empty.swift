// VidxSegments
