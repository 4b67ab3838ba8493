using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>A server's description of a region. Owns the descriptor for mapping it, if there is one.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_REGION_INFO.</remarks>
public sealed class ClientRegion : IDisposable
{
    internal ClientRegion(RegionInfo info, IReadOnlyList<SparseMmapArea> areas, SafeFileHandle? file, RegionType? type)
    {
        Type = type;
        Info = info;
        Areas = areas;
        File = file;
    }

    /// <summary>The fixed part of the reply.</summary>
    public RegionInfo Info { get; }

    /// <summary>In bytes; 0 for a region that the device does not have.</summary>
    public ulong Size => Info.Size;

    /// <summary>The type of a device-specific region; null for a region of PCI. Spec: "Device-Specific Regions".</summary>
    public RegionType? Type { get; }

    /// <summary>The areas of the region that can be mapped. Empty for none.</summary>
    public IReadOnlyList<SparseMmapArea> Areas { get; }

    /// <summary>The file to map, from <see cref="RegionInfo.Offset"/> on; null when nothing can be mapped.</summary>
    public SafeFileHandle? File { get; }

    /// <summary>Maps an area, as a virtual machine monitor does.</summary>
    /// <param name="area">One of <see cref="Areas"/>.</param>
    /// <exception cref="InvalidOperationException">The region cannot be mapped.</exception>
    /// <exception cref="IOException">The server's file is shorter than it says, or the system refused.</exception>
    /// <remarks>If the server shortens the file later, touching the memory raises SIGBUS, which ends the process.</remarks>
    public SharedMemory Map(SparseMmapArea area)
    {
        if (File is null)
            throw new InvalidOperationException($"Region {Info.Index} cannot be mapped.");
        return SharedMemory.Map(Protocol.Interop.FileCalls.Duplicate(File), Info.Offset + area.Offset, area.Size);
    }

    /// <summary>Closes the descriptor.</summary>
    public void Dispose() => File?.Dispose();
}
