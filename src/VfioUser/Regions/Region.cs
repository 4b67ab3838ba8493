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
public partial class Region : RegisterBlock
{
    private readonly List<RegionPart> _parts = [];
    private readonly HashSet<string> _names = [];
    private RegionPart[]? _decoded; // as they are at the first access, when the device is served
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
    internal IReadOnlyList<RegionPart> Parts => _parts;

    /// <summary>What the client may map, or null.</summary>
    internal RegionMemory? Memory => _memory;

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

    internal override IReadOnlyList<RegionPart> Declared => _parts;

    internal override UnmodelledAccesses Unmodelled => Device.Unmodelled;

    internal override void CheckSetup() => Device.ThrowIfServed();

    internal override void Add(RegionPart part, string what)
    {
        Device.ThrowIfServed();
        if (part.Length == 0 || part.Length > Size || part.Start > Size - part.Length)
            throw new ArgumentException($"The {what} does not fit into {Index}, which has {Size} bytes.");
        int at = IndexOf(part.Start);
        RegionPart? other = at > 0 && _parts[at - 1].End > part.Start ? _parts[at - 1]
            : at < _parts.Count && _parts[at].Start < part.End ? _parts[at]
            : null;
        if (other is not null)
        {
            throw new ArgumentException($"The {what} of {Index} overlaps what is declared from 0x{other.Start:x} to 0x{other.End - 1:x}. " +
                "Give it another offset.");
        }
        if (part is NamedPart named && !_names.Add(named.Name))
            throw new ArgumentException($"{Index} has a register {named.Name} already.");
        _parts.Insert(at, part);
        _decoded = null;
    }

    /// <summary>The device has gone.</summary>
    internal void Dispose()
    {
        _memory?.Shared.Dispose();
        DisposeIoFds();
    }

    internal void Reset(bool keepSticky)
    {
        foreach (RegionPart part in _parts)
            part.ResetWith(keepSticky);
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
        RegionPart[] before = [.. _parts];
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
            _decoded = null;
            memory.Dispose();
            throw;
        }
    }

    // Where a part that starts there belongs.
    private int IndexOf(ulong start)
    {
        int low = 0;
        int high = _parts.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_parts[middle].Start < start)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
