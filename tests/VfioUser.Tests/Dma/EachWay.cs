using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>All ways to guest memory.</summary>
public sealed class EachWay : TheoryData<GuestMemory>
{
    public EachWay() => AddRange(GuestMemory.Mapped, GuestMemory.FileIo, GuestMemory.TwinSocket, GuestMemory.SingleSocket);
}
