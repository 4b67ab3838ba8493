using VfioUser.Testing;

namespace VfioUser.Tests.Work;

/// <summary>The example of the documentation.</summary>
public sealed class CopyWorkerTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Copies_run_between_resets_and_never_during_one(GuestMemoryKind memory)
    {
        using TestGuest guest = TestGuest.Attach(new CopyWorker(), memory);
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

    [Fact]
    public void Exception_of_a_worker_fails_a_test_that_does_not_look()
    {
        WorkingDevice device = new();
        device.AddWorker("bad", (_, _) => Task.FromException(new InvalidOperationException("tired")));
        TestGuest guest = TestGuest.Attach(device);

        guest.Invoking(guest => guest.Dispose()).Should().Throw<TestGuestException>().WithMessage("*Worker 'bad': tired*")
            .WithInnerException<InvalidOperationException>();
    }
}
