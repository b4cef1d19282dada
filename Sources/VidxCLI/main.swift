print("vidx")
