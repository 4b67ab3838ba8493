using VfioUser.Testing;
using VfioUser.Tests.Work;

namespace VfioUser.Tests.Quiesce;

/// <summary>The examples of two documents: a device that quiesces its own work, and one whose worker the library quiesces.</summary>
public sealed class CopyEngineTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped, false)]
    [InlineData(GuestMemoryKind.TwinSocket, false)]
    [InlineData(GuestMemoryKind.SingleSocket, false)]
    [InlineData(GuestMemoryKind.Mapped, true)]
    [InlineData(GuestMemoryKind.TwinSocket, true)]
    [InlineData(GuestMemoryKind.SingleSocket, true)]
    public void Copies_run_between_resets_and_never_during_one(GuestMemoryKind memory, bool worker)
    {
        using TestGuest guest = TestGuest.Attach(worker ? new CopyWorker() : new CopyEngine(), memory);
        Iova from = guest.Place("123456789"u8);
        Iova to = guest.Place(new byte[9]);
        byte[] copied = new byte[9];

        for (int round = 0; round < 20; round++)
        {
            Start();
            guest.Reset();
            guest.Memory.Write(to, new byte[9]); // nothing of an earlier round writes here any more
            guest.Reset();
            guest.Memory.Read(to, copied);
            copied.Should().OnlyContain(value => value == 0);
        }
        int before = guest.MsiX[0].Count;
        Start();
        guest.MsiX[0].WaitFor(before + 1);

        guest.Memory.Read(to, copied);
        copied.Should().Equal("123456789"u8.ToArray());

        void Start()
        {
            guest.Bar0.Write(0x00, from.Value);
            guest.Bar0.Write(0x08, to.Value);
            guest.Bar0.Write(0x10, 9u);
        }
    }
}
