using VfioUser.Testing;

namespace VfioUser.Tests.Work;

/// <summary>An exception of a worker, as the author of a device sees it in a test.</summary>
public sealed class WorkerFailureTests
{
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
