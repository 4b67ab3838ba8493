using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Threading;

/// <summary>The device of <c>docs/threading.md</c> does what it says.</summary>
public class ThreadingGuideTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    public void A_job_runs_beside_the_commands_and_ends_in_an_interrupt(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(new Accelerator(), memory);
        Iova buffer = guest.Memory.Allocate(4096);
        guest.Memory.Write(buffer, 0x0102_0304u);

        guest.Bar0.Write(0x00, buffer.Value);
        guest.MsiX[0].WaitFor(1);

        guest.Bar0.Read<ulong>(0x10).Should().Be(10);
        guest.Bar0.Read<uint>(0x08).Should().Be(0);
    }
}
