using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A stretch of device memory or ports that the guest accesses: a BAR, the ROM, VGA.</summary>
/// <remarks>
/// Setup for all that describes it. A region is made of parts: registers, doorbells, shared memory; the handler gets
/// what lies between them. Without a handler the rest reads as zeros and ignores writes.
/// Spec: VFIO_USER_DEVICE_GET_REGION_INFO.
/// </remarks>
public partial class Region
{
    private readonly List<RegionPart> _parts = [];
    private RegionPart[] _decoded = [];
    private RegionPart? _last; // found; Command thread
    private RegionMemory? _memory;

    internal Region(PciDevice device, PciRegion index, ulong size, bool writable, IRegionHandler? handler)
    {
        Device = device;
        Index = index;
        Size = size;
        IsWritable = writable;
        Handler = handler;
    }

    /// <summary>Which region of the device it is.</summary>
    public PciRegion Index { get; }

    /// <summary>In bytes.</summary>
    public ulong Size { get; }

    /// <summary>Whether the guest may write: a ROM it may not, and other regions unless the author says so.</summary>
    public bool IsWritable { get; }

    internal PciDevice Device { get; }

    internal IRegionHandler? Handler { get; }

    /// <summary>Registers, memory and the like, by offset.</summary>
    internal IReadOnlyList<RegionPart> Parts => _decoded;

    /// <summary>What the client may map, or null.</summary>
    internal RegionMemory? Memory => _memory;

    /// <summary>Adds a register: a value that the guest reads and writes at a place.</summary>
    /// <typeparam name="T">Its width: <see cref="byte"/>, <see cref="ushort"/>, <see cref="uint"/> or <see cref="ulong"/>.</typeparam>
    /// <param name="offset">First byte, relative to the region; a multiple of the width.</param>
    /// <param name="access">What the guest may do with it.</param>
    /// <exception cref="ArgumentException">It does not fit, or overlaps another part.</exception>
    /// <remarks>Setup. Accesses of other widths than the register's work too.</remarks>
    public Register<T> AddRegister<T>(ulong offset, Access access = Access.ReadWrite)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>, System.Numerics.IUnsignedNumber<T> =>
        AddRegister(offset, new RegisterOptions<T> { Access = access });

    /// <summary>Adds a register with more to say about it.</summary>
    /// <inheritdoc cref="AddRegister{T}(ulong, Access)"/>
    public Register<T> AddRegister<T>(ulong offset, RegisterOptions<T> options)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>, System.Numerics.IUnsignedNumber<T>
    {
        ArgumentNullException.ThrowIfNull(options);
        Register<T> register = new(offset, options);
        Add(register.Part, $"register at 0x{offset:x}");
        return register;
    }

    /// <summary>Adds a 32-bit register whose only purpose is that writing it makes something happen.</summary>
    /// <param name="offset">First byte, relative to the region; a multiple of 4.</param>
    /// <param name="ring">Called on the Command thread, whatever was written.</param>
    public void AddDoorbell(ulong offset, Action ring)
    {
        ArgumentNullException.ThrowIfNull(ring);
        AddDoorbell<uint>(offset, _ => ring());
    }

    /// <summary>Adds a register whose only purpose is that writing it makes something happen.</summary>
    /// <param name="offset">First byte, relative to the region; a multiple of the width.</param>
    /// <param name="ring">Called on the Command thread with what was written.</param>
    public void AddDoorbell<T>(ulong offset, Action<T> ring)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>, System.Numerics.IUnsignedNumber<T>
    {
        ArgumentNullException.ThrowIfNull(ring);
        AddRegister(offset, new RegisterOptions<T> { Access = Access.WriteOnly, OnWrite = ring });
    }

    /// <summary>Backs areas of the region with memory that the client maps, so that the guest's accesses send no messages.</summary>
    /// <param name="areas">Offset and length each, multiples of the page size; the whole region when there are none.</param>
    /// <returns>The memory, as the device sees it.</returns>
    /// <exception cref="InvalidOperationException">The region shares memory already: name all areas in one call.</exception>
    /// <remarks>Setup. The memory is made by this library and lives until the device is disposed. Spec: "Sparse Regions".</remarks>
    public RegionMemory ShareMemory(params ReadOnlySpan<MemoryArea> areas) =>
        ShareMemory(SharedMemory.Create(Size, $"vfio-user-{Index}"), areas);

    /// <summary>Backs areas of the region with a file of the author's that the client maps.</summary>
    /// <param name="file">Taken over. The region's offset 0 lies at <paramref name="fileOffset"/> in it.</param>
    /// <param name="fileOffset">In bytes; a multiple of the page size.</param>
    /// <param name="areas">As in the other overload.</param>
    /// <inheritdoc cref="ShareMemory(ReadOnlySpan{MemoryArea})"/>
    /// <exception cref="ArgumentException">The file ends before the region does.</exception>
    public RegionMemory ShareMemory(SafeFileHandle file, ulong fileOffset, params ReadOnlySpan<MemoryArea> areas)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (ProblemOf(file, fileOffset) is { } problem)
        {
            file.Dispose();
            throw new ArgumentException(problem, nameof(file));
        }
        return ShareMemory(SharedMemory.Map(file, fileOffset, Size), areas);
    }

    internal void Add(RegionPart part, string what)
    {
        Device.ThrowIfServed();
        if (part.Length == 0 || part.Length > Size || part.Start > Size - part.Length)
            throw new ArgumentException($"The {what} does not fit into {Index}, which has {Size} bytes.");
        RegionPart? other = _parts.Find(other => part.Start < other.End && other.Start < part.End);
        if (other is not null)
        {
            throw new ArgumentException($"The {what} of {Index} overlaps what is declared from 0x{other.Start:x} to 0x{other.End - 1:x}. " +
                "Give it another offset.");
        }
        _parts.Add(part);
        _parts.Sort((left, right) => left.Start.CompareTo(right.Start));
        _decoded = [.. _parts];
    }

    /// <summary>Command thread. The range was checked against <see cref="Size"/>.</summary>
    internal void Read(ulong offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            RegionPart? part = Find(offset, out ulong until);
            int length = (int)Math.Min(until - offset, (ulong)destination.Length);
            Span<byte> piece = destination[..length];
            if (part is not null)
            {
                part.Read(offset - part.Start, piece);
            }
            else
            {
                piece.Clear();
                Handler?.Read(offset, piece);
            }
            offset += (ulong)length;
            destination = destination[length..];
        }
    }

    /// <summary>Command thread. The range was checked against <see cref="Size"/>.</summary>
    internal void Write(ulong offset, ReadOnlySpan<byte> source)
    {
        if (_ioEventFds is not null && TrySignal(offset, source))
            return;
        while (!source.IsEmpty)
        {
            RegionPart? part = Find(offset, out ulong until);
            if (part is not null && (ulong)source.Length <= until - offset)
            {
                part.Write(offset - part.Start, source);
                return;
            }
            int length = (int)Math.Min(until - offset, (ulong)source.Length);
            if (part is not null)
                part.Write(offset - part.Start, source[..length]);
            else
                Handler?.Write(offset, source[..length]);
            offset += (ulong)length;
            source = source[length..];
        }
    }

    /// <summary>The device has gone.</summary>
    internal void Dispose()
    {
        _memory?.Shared.Dispose();
        DisposeIoFds();
    }

    internal void Reset()
    {
        foreach (RegionPart part in _decoded)
            part.Reset();
    }

    // A touch of a page behind the end of the file would end the process.
    private string? ProblemOf(SafeFileHandle file, ulong fileOffset)
    {
        if (fileOffset % (ulong)Environment.SystemPageSize != 0)
            return $"The file's offset 0x{fileOffset:x} is no multiple of the page size, {Environment.SystemPageSize}: clients map pages.";
        if (FileCalls.TryDescribe(file, out FileFacts facts) && facts.IsRegular && (fileOffset > facts.Length || Size > facts.Length - fileOffset))
            return $"The file ends at 0x{facts.Length:x}, before {Index}, whose 0x{Size:x} bytes begin at 0x{fileOffset:x} in it. Make it longer first.";
        return null;
    }

    private RegionMemory ShareMemory(SharedMemory memory, ReadOnlySpan<MemoryArea> areas)
    {
        RegionPart[] before = _decoded;
        try
        {
            Device.ThrowIfServed();
            if (_memory is not null)
                throw new InvalidOperationException($"{Index} shares memory already. Name all areas in one call.");
            RegionMemory shared = new(Device, memory, areas.IsEmpty ? [new MemoryArea(0, Size)] : areas.ToArray());
            foreach (MemoryArea area in shared.Areas)
            {
                if (area.Offset % (ulong)Environment.SystemPageSize != 0 || area.Length % (ulong)Environment.SystemPageSize != 0)
                {
                    throw new ArgumentException($"The area 0x{area.Offset:x} of 0x{area.Length:x} bytes is not made of whole pages, " +
                        $"which have {Environment.SystemPageSize} bytes here: clients map pages.", nameof(areas));
                }
            }
            foreach (MemoryArea area in shared.Areas)
                Add(new MemoryPart(shared, area), $"shared memory at 0x{area.Offset:x}");
            _memory = shared;
            return shared;
        }
        catch
        {
            _parts.Clear();
            _parts.AddRange(before);
            _decoded = before;
            memory.Dispose();
            throw;
        }
    }

    // The part at offset, or null for the gap that ends at until.
    private RegionPart? Find(ulong offset, out ulong until)
    {
        // drivers write the same register again and again
        if (_last is { } last && offset >= last.Start && offset < last.End)
        {
            until = last.End;
            return last;
        }
        RegionPart[] parts = _decoded;
        int low = 0;
        int high = parts.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (parts[middle].End <= offset)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == parts.Length)
        {
            until = Size;
            return null;
        }
        RegionPart part = parts[low];
        if (part.Start > offset)
        {
            until = part.Start;
            return null;
        }
        until = part.End;
        _last = part;
        return part;
    }
}
