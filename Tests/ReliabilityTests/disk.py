"""A disk that loses power: what recorded calls leave on it when some that were not synchronised are lost.

POSIX promises little, and so does this disk: fsync of a file makes its bytes durable, but not its name; fsync of a
folder makes its names durable, each folder for itself. What was not synchronised is lost, kept, or kept in part: any of
the writes to a file, cut at a sector, and of the changes to a folder's names any first ones.
"""

import os

SECTOR = 512


class File:
    def __init__(self):
        self.durable = bytearray()
        self.pending = []  # (offset, bytes) or (size, None), in order

    def after(self, changes):
        content = bytearray(self.durable)
        for offset, data in changes:
            if data is None:
                del content[offset:]
                content.extend(bytes(offset - len(content)))
            else:
                if len(content) < offset:
                    content.extend(bytes(offset - len(content)))
                content[offset : offset + len(data)] = data
        return content


class Folder:
    def __init__(self):
        self.durable = {}  # name: File, or a Folder
        self.pending = []  # (name, File, Folder or None for removed), in order

    def after(self, changes):
        names = dict(self.durable)
        for change in changes:
            for name, what in change:
                if what is None:
                    names.pop(name, None)
                else:
                    names[name] = what
        return names

    @property
    def names(self):
        return self.after(self.pending)


class Disk:
    def __init__(self):
        self.top = Folder()

    def _folder(self, path):
        folder = self.top
        for part in path.split("/")[:-1]:
            folder = folder.names[part]
        return folder, path.split("/")[-1]

    def _found(self, path):
        if path == ".":
            return self.top
        folder, name = self._folder(path)
        return folder.names[name]

    def apply(self, call):
        folder, name = self._folder(call.name) if call.name != "." else (None, None)
        if call.operation == "c":
            folder.pending.append([(name, File())])
        elif call.operation == "m":
            folder.pending.append([(name, Folder())])
        elif call.operation == "u":
            folder.pending.append([(name, None)])
        elif call.operation == "r":
            target = call.data.decode().split("/")[-1]
            folder.pending.append([(name, None), (target, folder.names[name])])
        elif call.operation == "w":
            folder.names[name].pending.append((call.offset, call.data))
        elif call.operation == "t":
            folder.names[name].pending.append((call.offset, None))
        elif call.operation == "s":
            found = self._found(call.name)
            found.durable = found.after(found.pending)
            found.pending = []

    def image(self, choose):
        """The contents of all files by path. `choose(pending, is_folder)`: which changes came to be."""
        files = {}

        def walk(folder, prefix):
            for name, what in folder.after(choose(folder.pending, True)).items():
                if isinstance(what, Folder):
                    files[prefix + name + "/"] = None
                    walk(what, prefix + name + "/")
                else:
                    files[prefix + name] = bytes(what.after(choose(what.pending, False)))

        walk(self.top, "")
        return files


def lost(pending, is_folder):
    return []


def kept(pending, is_folder):
    return pending


def some(random):
    """Any of the writes to a file, cut at a sector; any first changes of names."""

    def choose(pending, is_folder):
        if is_folder:
            return pending[: random.randint(0, len(pending))]
        chosen = []
        for offset, data in pending:
            fate = random.random()
            if fate < 0.4:
                continue
            if fate < 0.6 and data is not None and len(data) > SECTOR:
                cut = SECTOR * random.randint(1, (len(data) - 1) // SECTOR)
                data = data[:cut]
            chosen.append((offset, data))
        return chosen

    return choose


def write(files, folder):
    """Makes the files of an image in a new folder."""
    os.makedirs(folder)
    for path, content in sorted(files.items()):
        if content is None:
            os.makedirs(os.path.join(folder, path), exist_ok=True)
        else:
            with open(os.path.join(folder, path), "wb") as file:
                file.write(content)
