namespace VfioUser.Protocol;

/// <summary>Identity of a region capability, from <c>linux/vfio.h</c>.</summary>
/// <remarks>Spec: VFIO region capabilities.</remarks>
public enum RegionCapId : ushort
{
    /// <summary>VFIO_REGION_INFO_CAP_SPARSE_MMAP, version 1: a <see cref="Protocol.SparseMmap"/> follows.</summary>
    SparseMmap = 1,

    /// <summary>VFIO_REGION_INFO_CAP_TYPE, version 1: a <see cref="RegionType"/> follows.</summary>
    Type = 2,

    /// <summary>VFIO_REGION_INFO_CAP_MSIX_MAPPABLE: nothing follows; the area of the MSI-X table may be mapped too.</summary>
    MsixMappable = 3,
}
