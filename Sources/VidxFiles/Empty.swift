// VidxFiles
