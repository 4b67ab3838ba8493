using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A region of the device that the guest accesses: a BAR, the ROM, VGA.</summary>
/// <remarks>
/// Setup, except where noted. A region has registers, doorbells and shared memory; its handler gets accesses outside of them.
/// Without a handler, those read as zeros and ignore writes.
/// Spec: VFIO_USER_DEVICE_GET_REGION_INFO.
/// </remarks>
public partial class Region : RegisterBlock
{
    private readonly List<RegionPart> _parts = [];
    private readonly HashSet<string> _names = [];
    private RegionPart[]? _decoded; // _parts as an array, made at the first access, when no more are added
    private RegionMemory? _memory;

    internal Region(PciDevice device, RegionIndex index, long size, bool writable, IRegionHandler? handler)
    {
        Device = device;
        Index = index;
        Size = size;
        IsWritable = writable;
        Handler = handler;
    }

    /// <summary>Its index among the device's regions.</summary>
    public RegionIndex Index { get; }

    /// <summary>In bytes.</summary>
    public long Size { get; }

    /// <summary>Whether the guest may write: false for a ROM, and for regions declared read-only.</summary>
    public bool IsWritable { get; }

    internal PciDevice Device { get; }

    internal IRegionHandler? Handler { get; }

    /// <summary>Registers, shared memory and MSI-X tables, in order of offset.</summary>
    internal IReadOnlyList<RegionPart> Parts => _parts;

    /// <summary>The shared memory, or null.</summary>
    internal RegionMemory? Memory => _memory;

    /// <summary>Backs areas of the region with memory that the client can map, so that the guest's accesses need no messages.</summary>
    /// <param name="areas">Offsets and lengths, multiples of the page size; the whole region if there are none.</param>
    /// <returns>The memory, for the device.</returns>
    /// <exception cref="InvalidOperationException">The region shares memory already: share all areas in one call.</exception>
    /// <remarks>Setup. The library allocates the memory; it lives until the device is disposed. Spec: "Sparse Regions".</remarks>
    public RegionMemory ShareMemory(params ReadOnlySpan<MemoryArea> areas) =>
        ShareMemory(SharedMemory.Create((ulong)Size, $"vfio-user-{Index}"), areas);

    /// <summary>Backs areas of the region with a file that the client can map.</summary>
    /// <param name="file">Taken over.</param>
    /// <param name="fileOffset">File offset of the region's first byte; a multiple of the page size.</param>
    /// <param name="areas">As in the other overload.</param>
    /// <inheritdoc cref="ShareMemory(ReadOnlySpan{MemoryArea})" path="/*[not(self::param)]"/>
    /// <exception cref="ArgumentException">The file is too short for the region, or an offset is not a multiple of the page size.</exception>
    public RegionMemory ShareMemory(SafeFileHandle file, long fileOffset, params ReadOnlySpan<MemoryArea> areas)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (ProblemOf(file, fileOffset) is { } problem)
        {
            file.Dispose();
            throw new ArgumentException(problem, nameof(file));
        }
        return ShareMemory(SharedMemory.Map(file, (ulong)fileOffset, (ulong)Size), areas);
    }

    internal override IReadOnlyList<RegionPart> Declared => _parts;

    internal override UnmodelledAccesses Unmodelled => Device.Unmodelled;

    internal override void CheckSetup() => Device.ThrowIfServed();

    internal override void Add(RegionPart part, string what)
    {
        Device.ThrowIfServed();
        if (part.Length <= 0)
            throw new ArgumentException($"The {what} has {part.Length} bytes: it needs one at least.");
        if (part.Start < 0 || part.Length > Size || part.Start > Size - part.Length)
            throw new ArgumentException($"The {what} does not fit into {Index}, which has {Size} bytes.");
        if (!IsWritable && part is NamedPart { HasWriteHandler: true })
            throw new ArgumentException($"{Index} is read-only: no write of a guest reaches the {what}.");
        int at = IndexOf(part.Start);
        RegionPart? other = at > 0 && _parts[at - 1].End > part.Start ? _parts[at - 1]
            : at < _parts.Count && _parts[at].Start < part.End ? _parts[at]
            : null;
        if (other is not null)
        {
            throw new ArgumentException($"The {what} of {Index} overlaps {Describe(other)}, from 0x{other.Start:x} to 0x{other.End - 1:x}. " +
                "Give it another offset.");
        }
        if (part is NamedPart named && !_names.Add(named.Name))
            throw new ArgumentException($"{Index} has a register {named.Name} already.");
        _parts.Insert(at, part);
        _decoded = null;
    }

    /// <summary>What it is, in a sentence about another part that overlaps it.</summary>
    internal static string Describe(RegionPart part) => part switch
    {
        NamedPart { Layout.Name: not null } named => $"the {named.Words}",
        NamedPart named => $"a {named.Layout.Kind}", // one without a name has its offset for one
        TagPart tag => $"the tag {tag.Name}",
        ConstantPart => "a constant",
        MemoryPart => "shared memory",
        VectorTablePart => "the MSI-X table",
        PendingBitsPart => "the MSI-X pending bits",
        _ => "what is declared",
    };

    /// <summary>The device is disposed.</summary>
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

    // An access to a page beyond the end of the file would raise SIGBUS and kill the process.
    private string? ProblemOf(SafeFileHandle file, long fileOffset)
    {
        if (fileOffset < 0 || fileOffset % Environment.SystemPageSize != 0)
            return $"The file's offset 0x{fileOffset:x} is not a multiple of the page size, {Environment.SystemPageSize}.";
        if (FileCalls.TryDescribe(file, out FileFacts facts) && facts.IsRegular && ((ulong)fileOffset > facts.Length || (ulong)Size > facts.Length - (ulong)fileOffset))
            return $"The file ends at 0x{facts.Length:x}, before {Index}, which has 0x{Size:x} bytes from file offset 0x{fileOffset:x} on. Extend it first.";
        return null;
    }

    private RegionMemory ShareMemory(SharedMemory memory, ReadOnlySpan<MemoryArea> areas)
    {
        RegionPart[] before = [.. _parts];
        try
        {
            Device.ThrowIfServed();
            if (_memory is not null)
                throw new InvalidOperationException($"{Index} shares memory already. Share all areas in one call.");
            RegionMemory shared = new(this, memory, areas.IsEmpty ? [new MemoryArea(0, Size)] : areas.ToArray());
            foreach (MemoryArea area in shared.Areas)
            {
                if (area.Offset % Environment.SystemPageSize != 0 || area.Length % Environment.SystemPageSize != 0)
                {
                    throw new ArgumentException($"The area 0x{area.Offset:x} of 0x{area.Length:x} bytes does not consist of whole pages " +
                        $"of {Environment.SystemPageSize} bytes.", nameof(areas));
                }
            }
            foreach (MemoryArea area in shared.Areas)
                Add(new MemoryPart(shared, area), $"shared memory at 0x{area.Offset:x}");
            if (Handler is not null && shared.Areas.Sum(area => area.Length) == Size)
                throw new ArgumentException($"The handler of {Index} has no effect: all of {Index} is shared memory. Name areas, or leave the handler out.", nameof(areas));
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
    private int IndexOf(long start)
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
