// VidxExtension
