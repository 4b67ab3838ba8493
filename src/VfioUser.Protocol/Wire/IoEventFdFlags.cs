namespace VfioUser.Protocol;

/// <summary>KVM_IOEVENTFD_FLAG_ bits of <c>linux/kvm.h</c>.</summary>
/// <remarks>Spec: Sub-Region IO FD info format (ioeventfd).</remarks>
[Flags]
public enum IoEventFdFlags : uint
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>Signal only when the value written equals datamatch.</summary>
    Datamatch = 0x1,

    /// <summary>The address is an I/O port, not memory.</summary>
    Pio = 0x2,

    /// <summary>Remove the eventfd; part of KVM's interface, of no use in a reply.</summary>
    Deassign = 0x4,

    /// <summary>s390 virtio-ccw notification.</summary>
    VirtioCcwNotify = 0x8,
}
