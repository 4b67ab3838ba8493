using VfioUser;
using VfioUser.Testing;

namespace My_Device1.Tests;

public class CardTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]       // the device reads guest memory in place
    [InlineData(GuestMemoryKind.FileIo)]       // with system calls
    [InlineData(GuestMemoryKind.TwinSocket)]   // by messages on a socket of their own
    [InlineData(GuestMemoryKind.SingleSocket)] // by messages in between the guest's commands
    public void Driver_is_given_the_next_bytes(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(new Card(), memory);
        VirtioDriver driver = VirtioDriver.Start(guest);

        Assert.Equal([0, 1, 2, 3], driver.Queues[0].Request([], answerLength: 4));
        Assert.Equal([4, 5], driver.Queues[0].Request([], answerLength: 2));
    }

    [Fact]
    public void An_unmapped_buffer_comes_back_empty()
    {
        using var guest = TestGuest.Attach(new Card());
        VirtioDriver driver = VirtioDriver.Start(guest);

        driver.Queues[0].Add(new VirtioPart(new Iova(0xDEAD_0000), 16, writable: true));
        driver.Queues[0].Notify();

        Assert.Equal(0, driver.Queues[0].Take().Written);
    }
}
