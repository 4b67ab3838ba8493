using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>Memory that two processes see: a file that is mapped here, and whose descriptor can be sent.</summary>
/// <remarks>Any thread. Unmapped when disposed; do not keep spans of it beyond that.</remarks>
public sealed class SharedMemory : IDisposable
{
    private readonly MappedMemory _mapping;

    private SharedMemory(SafeFileHandle file, ulong fileOffset, MappedMemory mapping)
    {
        File = file;
        FileOffset = fileOffset;
        _mapping = mapping;
    }

    /// <summary>The file behind the memory, to be borrowed.</summary>
    public SafeFileHandle File { get; }

    /// <summary>Where in the file the memory begins, in bytes.</summary>
    public ulong FileOffset { get; }

    /// <summary>In bytes.</summary>
    public ulong Length => _mapping.Length;

    /// <summary>Makes a memory file that cannot shrink, as a careful peer requires, and maps it.</summary>
    /// <exception cref="IOException">The system refused.</exception>
    public static SharedMemory Create(ulong length, string name = "vfio-user")
    {
        ArgumentOutOfRangeException.ThrowIfZero(length);
        return Map(FileCalls.CreateMemory(name, length), 0, length);
    }

    /// <summary>Maps part of a file for reading and writing, and takes ownership of the file.</summary>
    /// <exception cref="IOException">The file ends before that, or the system refused.</exception>
    public static SharedMemory Map(SafeFileHandle file, ulong fileOffset, ulong length)
    {
        ArgumentNullException.ThrowIfNull(file);
        // pages past the end can be mapped too, but touching them raises SIGBUS; only a regular file has a length to check
        if (FileCalls.TryDescribe(file, out FileFacts facts) && facts.IsRegular && (UInt128)fileOffset + length > facts.Length)
        {
            file.Dispose();
            throw new IOException($"{length} bytes from byte {fileOffset} on cannot be mapped: the file has {facts.Length}.");
        }
        MappedMemory? mapping = MappedMemory.TryMap(file, fileOffset, length, readable: true, writable: true, out Errno errno);
        if (mapping is not null)
            return new SharedMemory(file, fileOffset, mapping);
        file.Dispose();
        throw Libc.Failure("mmap", errno);
    }

    /// <summary>Part of the memory.</summary>
    public Span<byte> Slice(ulong offset, int length)
    {
        ObjectDisposedException.ThrowIf(_mapping.IsClosed, this);
        return _mapping.Slice(offset, length);
    }

    /// <summary>Unmaps the memory and closes the file.</summary>
    public void Dispose()
    {
        _mapping.Dispose();
        File.Dispose();
    }
}
