using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>First part of the payload of REGION_WRITE_MULTI; the whole payload of its reply.</summary>
/// <param name="WriteCount">wr_cnt: entries that follow (<see cref="RegionWriteMultiEntry"/>), or writes done.</param>
/// <remarks>Spec: VFIO_USER_REGION_WRITE_MULTI.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct RegionWriteMulti(ulong WriteCount)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 8;
}
