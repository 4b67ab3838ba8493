using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>All ways to guest memory.</summary>
public sealed class EachWay : TheoryData<GuestMemoryKind>
{
    public EachWay() => AddRange(GuestMemoryKind.Mapped, GuestMemoryKind.FileIo, GuestMemoryKind.TwinSocket, GuestMemoryKind.SingleSocket);
}
